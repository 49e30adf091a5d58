"""`livestall media-config NAME`: the configuration file of a neighbouring media server, ready to be started with.

It belongs to one entry of LIVESTALL_MEDIA__SERVERS: ports and paths come from its addresses, the hooks carry the token
that the market expects of it. The files in deploy/ are made by this, for a server on the market's own machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from livestall.app import settings
from livestall.app.supervisor import Home
from livestall.base import config, keys
from livestall.video.backends import Server, hook_token, neighbours


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the addresses do not say. `market` is where the media server reaches the web process, `folder` where it
    keeps its files, `allow` who besides its own machine may control it, `module` Debian's RTMP module of nginx."""

    market: str
    folder: str = "/var/lib/livestall-video"
    allow: str = ""
    module: str = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
    token: str


def _port(url: str, otherwise: int) -> int:
    return urlsplit(url).port or otherwise


def _own(url: str) -> str:
    """Listen on this machine only when that is where the market is."""
    return "127.0.0.1" if urlsplit(url).hostname in {"127.0.0.1", "localhost", None} else ""


def hook(server: Server, options: Options) -> str:
    return f"{options.market.rstrip('/')}/api/hooks/media/{server.id}?token={options.token}"


def nginx_rtmp(server: Server, options: Options) -> str:
    allow = "".join(f"\n            allow {one};" for one in options.allow.replace(",", " ").split())
    ours = urlsplit(server.hls_url)
    recordings = server.folder or f"{options.folder}/recordings"
    return f"""\
# nginx with its RTMP module for Livestall: RTMP in, plain HLS out, recordings as FLV.
# Debian: apt-get install nginx-light libnginx-mod-rtmp
# One worker: /stat and /control speak for the worker that answers, so there must be no other.
worker_processes 1;
pid {options.folder}/nginx.pid;
error_log stderr warn;
load_module {options.module};
events {{ worker_connections 4096; }}

rtmp {{
    server {{
        listen {_port(server.rtmp_url, 1935)};
        chunk_size 4096;
        # A publisher whose network died holds its name until then; nobody can take it over before.
        drop_idle_publisher 10s;
        notify_method post;
        application live {{
            live on;
            # The market says who may publish; the address is looked up once, at the start.
            on_publish {hook(server, options)};
            on_publish_done {hook(server, options)};
            deny play all;
            hls on;
            hls_path {options.folder}/hls;
            hls_fragment {server.segment_seconds:g}s;
            hls_playlist_length {max(10.0, server.segment_seconds * 6):g}s;
            # After a reconnect the numbers go on, and viewers' players with them.
            hls_continuous on;
            record all;
            record_path {recordings};
            record_unique on;
            record_suffix .flv;
            on_record_done {hook(server, options)};
        }}
    }}
}}

http {{
    access_log off;
    client_body_temp_path {options.folder}/bodies;
    types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
    server {{
        listen {_port(server.control_url, 8080)};
        location {(ours.path or "") + "/"} {{
            alias {options.folder}/hls/;
            add_header Access-Control-Allow-Origin *;
            add_header Cache-Control no-cache;
        }}
        # The market asks who publishes, and throws out who may no longer.
        location /stat {{
            allow 127.0.0.1;{allow}
            deny all;
            rtmp_stat all;
        }}
        location /control {{
            allow 127.0.0.1;{allow}
            deny all;
            rtmp_control all;
        }}
    }}
}}
"""


def srs(server: Server, options: Options) -> str:
    recordings = server.folder or f"{options.folder}/recordings"
    whip = "on" if server.whip_url else "off"
    return f"""\
# SRS for Livestall: RTMP and WHIP in, plain HLS and WHEP out, recordings as FLV.
listen {_port(server.rtmp_url, 1935)};
max_connections 4000;
daemon off;
srs_log_tank console;

# The market lists streams and ends publishers here: keep this port from the public. WHIP and WHEP are answered on it
# too, so put a proxy in front that lets only /rtc/ through.
http_api {{
    enabled on;
    listen {_port(server.control_url, 1985)};
}}
http_server {{
    enabled on;
    listen {_port(server.hls_url, 8080)};
    dir {options.folder}/html;
    crossdomain on;
}}
rtc_server {{
    enabled {whip};
    listen 8000;
    # The address under which browsers reach this machine.
    candidate {urlsplit(server.whip_url).hostname or "127.0.0.1"};
}}

vhost __defaultVhost__ {{
    tcp_nodelay on;
    min_latency on;
    publish {{
        normal_timeout 10000;
    }}
    rtc {{
        enabled {whip};
        rtc_to_rtmp on;
        rtmp_to_rtc on;
        # A browser sends a keyframe when it is asked: as often as a segment is to begin.
        pli_for_rtmp 2.0;
    }}
    hls {{
        enabled on;
        hls_path {options.folder}/html;
        hls_fragment {server.segment_seconds:g};
        hls_window {max(10.0, server.segment_seconds * 6):g};
        hls_wait_keyframe on;
        hls_dispose 60;
    }}
    dvr {{
        enabled on;
        dvr_plan session;
        dvr_path {recordings}/[app]/[stream]/[timestamp].flv;
    }}
    # SRS wants 200 and a body for yes. Of on_hls it makes one call a segment: not needed, so not asked for.
    http_hooks {{
        enabled on;
        on_publish {hook(server, options)};
        on_unpublish {hook(server, options)};
        on_dvr {hook(server, options)};
    }}
}}
"""


def mediamtx(server: Server, options: Options) -> str:
    recordings = server.folder or f"{options.folder}/recordings"
    return f"""\
# MediaMTX (1.10 or newer) for Livestall: RTMP and WHIP in, LL-HLS and WHEP out, recordings as fMP4.
logLevel: warn

# The market is asked before everyone who publishes or reads. Its own API stays out of that: it is for the market only.
authMethod: http
authHTTPAddress: {hook(server, options)}
authHTTPExclude:
  - action: api
  - action: metrics
  - action: pprof

# For the market only: keep this port from the public.
api: true
apiAddress: {_own(server.control_url)}:{_port(server.control_url, 9997)}

rtmp: true
rtmpAddress: :{_port(server.rtmp_url, 1935)}
rtsp: false
srt: false

hls: true
hlsAddress: :{_port(server.hls_url, 8888)}
hlsAlwaysRemux: true
hlsVariant: lowLatency
hlsSegmentCount: 8
hlsSegmentDuration: 1s
hlsPartDuration: 200ms

webrtc: true
webrtcAddress: :{_port(server.whip_url or server.whep_url, 8889)}
webrtcLocalUDPAddress: :8189
# The address under which browsers reach this machine.
webrtcAdditionalHosts: [{urlsplit(server.whip_url or server.hls_url).hostname or "127.0.0.1"}]

pathDefaults:
  # The newest publisher with the right key wins, as in Livestall's own media process.
  overridePublisher: true
  record: true
  recordFormat: fmp4
  recordPath: {recordings}/%path/%s-%f
  recordPartDuration: 1s
  recordSegmentDuration: 12h
  recordDeleteAfter: 0s

paths:
  "~^live/[0-9a-f-]{{36}}$": {{}}
"""


WRITERS: Mapping[str, Callable[[Server, Options], str]] = {"nginx-rtmp": nginx_rtmp, "srs": srs, "mediamtx": mediamtx}


def write(server: Server, options: Options) -> str:
    return WRITERS[server.kind](server, options)


def run(name: str, market: str, folder: str, allow: str) -> int:
    """Print the file for the server of that name; 2 if the settings name none."""
    core = settings.load()
    server = neighbours().get(name)
    if server is None:
        known = ", ".join(neighbours()) or "none"
        print(f"livestall: LIVESTALL_MEDIA__SERVERS names no server {name!r} (it names: {known})", file=sys.stderr)
        return 2
    if not core.secret:
        try:
            keys.use(Home(Path(core.data)).secret())
        except OSError:
            print(
                f"livestall: the token is made from the market's secret, and none is in {core.data}: "
                "set LIVESTALL_SECRET, or LIVESTALL_DATA to the folder of a market that has run",
                file=sys.stderr,
            )
            return 2
    market = market or f"http://127.0.0.1:{config.of(settings.Web).port}"
    options = Options(market=market, folder=folder.rstrip("/"), allow=allow, token=hook_token(name))
    print(write(server, options), end="")
    return 0
