drop table if exists raw.usage_events;

drop schema if exists raw;
