-- A queue and an outbox, made new.
-- before
create table jobs (id bigint generated always as identity primary key, kind text not null);
-- rows
insert into jobs (kind) select 'mail' from generate_series(1, 50);
-- step 202603060001_outbox
-- expect: quiet
create table outbox (
  id bigint generated always as identity primary key,
  topic text not null,
  body jsonb not null,
  sent_at timestamptz
);
-- expect: quiet
create index outbox_unsent_idx on outbox (id) where sent_at is null;
-- expect: quiet
create function notify_outbox() returns trigger language plpgsql as $$ begin perform pg_notify('outbox', new.id::text); return new; end $$;
-- expect: quiet
create trigger outbox_notify after insert on outbox for each row execute function notify_outbox();
-- expect: quiet
insert into outbox (topic, body) values ('hello', '{}');
-- expect: quiet
alter table outbox add constraint outbox_topic_check check (topic <> '');
-- expect: quiet
comment on table outbox is 'What is to be told to others.';
