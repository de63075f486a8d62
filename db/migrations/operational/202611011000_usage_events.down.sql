drop view platform.usage_event_default_rows;

drop table platform.usage_events;

drop function platform.check_usage_event_models();
