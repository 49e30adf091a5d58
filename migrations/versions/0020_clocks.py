"""How far the clock of each host is from the database's: fair starts and tickets depend on it."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute(
        """
        create table host_clock (
            host          text not null check (length(host) between 1 and 255),
            plane         text not null check (length(plane) between 1 and 20),
            skew_seconds  double precision not null,
            error_seconds double precision not null check (error_seconds >= 0),
            at            timestamptz not null,
            primary key (host, plane)
        ) with (fillfactor = 70);
        comment on column host_clock.skew_seconds is 'how far the host is ahead of the database';
        comment on column host_clock.error_seconds is 'half the round trip: by how much the skew may be wrong';
        alter table media_server add column clock_skew_seconds double precision;
        alter table media_server add column clock_error_seconds double precision;
        """
    )
