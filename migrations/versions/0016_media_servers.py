"""Media servers: who they are, where they are reached, when they were last seen; a stream knows who carries it."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute(
        """
        create table media_server (
            id              text primary key check (id ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
            kind            text not null check (kind in ('embedded', 'mediamtx', 'srs', 'nginx-rtmp')),
            hls_url         text not null default '' check (length(hls_url) <= 300),
            rtmp_url        text not null default '' check (length(rtmp_url) <= 300),
            whip_url        text not null default '' check (length(whip_url) <= 300),
            whep_url        text not null default '' check (length(whep_url) <= 300),
            control_url     text not null default '' check (length(control_url) <= 300),
            folder          text not null default '' check (length(folder) <= 300),
            segment_seconds double precision not null default 1 check (segment_seconds between 0.1 and 30),
            accepts         boolean not null default true,
            publishers      integer not null default 0 check (publishers >= 0),
            seen_at         timestamptz not null default now()
        );
        alter table stream
            add column server_id      text,
            add column client_id      text check (length(client_id) <= 100),
            add column kick_server_id text,
            add column kick_client_id text,
            add column moved_at       timestamptz;
        alter table stream_session
            add column server_id text,
            add column client_id text check (length(client_id) <= 100);
        create index stream_open_server on stream (server_id) where closed_at is null;
        """
    )
