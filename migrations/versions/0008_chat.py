"""The tables of chat: messages, each person's pace, the mode of a show, mutes, what moderators did."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        """
        create table chat_message (
            id          uuid primary key,
            show_id     uuid not null references show (id),
            user_id     uuid not null references user_account (id),
            name        text not null,
            role        text not null,
            text        text not null check (length(text) between 1 and 200),
            at          timestamptz not null,
            stream_at   timestamptz not null,
            deleted_at  timestamptz
        );
        create index chat_message_by_show on chat_message (show_id, stream_at, id) where deleted_at is null;

        create table chat_pace (
            show_id   uuid not null references show (id),
            user_id   uuid not null,
            full_at   timestamptz not null,
            last_at   timestamptz not null,
            primary key (show_id, user_id)
        ) with (fillfactor = 70);
        comment on column chat_pace.full_at is 'when this person''s allowance is whole again';

        create table chat_mode (
            show_id       uuid primary key references show (id),
            slow_seconds  integer not null default 0 check (slow_seconds between 0 and 60),
            muted_all     boolean not null default false,
            banned_words  text[] not null default '{}'
        );

        create table chat_mute (
            show_id  uuid not null references show (id),
            user_id  uuid not null references user_account (id),
            until    timestamptz not null default 'infinity',
            primary key (show_id, user_id)
        );

        create table chat_act (
            id          uuid primary key,
            show_id     uuid not null references show (id),
            by_id       uuid not null,
            act         text not null check (act in ('delete', 'mute', 'unmute', 'mode')),
            about_user  uuid,
            about_message uuid,
            reason      text not null default '' check (length(reason) <= 500),
            detail      jsonb not null default '{}',
            at          timestamptz not null default now()
        );
        create index chat_act_by_show on chat_act (show_id, at);
        """
    )
