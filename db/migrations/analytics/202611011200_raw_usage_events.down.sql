drop table raw.usage_events;

drop schema raw;
