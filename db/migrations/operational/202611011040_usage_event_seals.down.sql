drop function platform.retire_usage_event_partitions(timestamptz);

drop table platform.usage_event_retirements;

drop table platform.usage_event_seals;
