"""nginx with its RTMP module from Debian, as people set it up: HLS of two-second fragments, and a recording."""

from __future__ import annotations

import shutil
from pathlib import Path

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
MISSING = "nginx with the RTMP module is not installed (Debian: nginx-light, libnginx-mod-rtmp)"

CONFIG = """
load_module {module};
daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log {folder}/error.log error;
events {{ worker_connections 2048; }}
rtmp {{ server {{ listen 127.0.0.1:{rtmp}; chunk_size 4096;
  application live {{ live on; hls on; hls_path {folder}/hls; hls_fragment 2s; hls_playlist_length 16s;
    record {record}; record_path {folder}; record_unique on; }} }} }}
http {{ access_log off; types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{http}; root {folder}/hls; add_header Access-Control-Allow-Origin * always;
    add_header Cache-Control no-cache always; }} }}
"""


def command(folder: Path, rtmp: int, http: int, *, record: bool = True) -> list[str] | None:
    """How to start it over `folder`; None when it is not there."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None or not MODULE.exists():
        return None
    (folder / "hls").mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(module=MODULE, folder=folder, rtmp=rtmp, http=http, record="all" if record else "off")
    )
    return [program, "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
