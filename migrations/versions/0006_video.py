"""The tables of video."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        create table stream (
            id                   uuid primary key,
            subject              uuid not null unique,
            mode                 text not null default 'default' check (mode in ('default', 'interactive')),
            key_version          integer not null default 1 check (key_version between 1 and 1000000),
            opened_at            timestamptz not null default now(),
            closed_at            timestamptz,
            session_id           uuid,
            protocol             text check (protocol in ('rtmp', 'whip')),
            online_since         timestamptz,
            kick_session_id      uuid,
            finished_at          timestamptz,
            recording_started_at timestamptz,
            recording_ms         bigint check (recording_ms > 0),
            check ((session_id is null) = (online_since is null)),
            check ((session_id is null) = (protocol is null)),
            check ((recording_ms is null) = (recording_started_at is null)),
            check (recording_ms is null or finished_at is not null),
            check (finished_at is null or closed_at is not null)
        );
        create index stream_online on stream (id) where session_id is not null;
        create index stream_unfinished on stream (closed_at) where closed_at is not null and finished_at is null;
        create index stream_kick on stream (id) where kick_session_id is not null;

        create table stream_session (
            id          uuid primary key,
            stream_id   uuid not null references stream (id),
            protocol    text not null check (protocol in ('rtmp', 'whip')),
            started_at  timestamptz not null,
            stopped_at  timestamptz,
            stop_reason text check (length(stop_reason) <= 200)
        );
        create index stream_session_stream on stream_session (stream_id, started_at);
        """
    )
