drop trigger usage_events_mark_truncate
  on platform.usage_events_default;

drop trigger usage_events_mark_delete
  on platform.usage_events_default;

drop trigger usage_events_mark_update
  on platform.usage_events_default;

drop trigger usage_events_mark_insert
  on platform.usage_events_default;

drop trigger usage_events_mark_truncate
  on platform.usage_events;

drop trigger usage_events_mark_delete
  on platform.usage_events;

drop trigger usage_events_mark_update
  on platform.usage_events;

drop trigger usage_events_mark_insert
  on platform.usage_events;

drop function platform.mark_usage_events();

drop table platform.usage_event_marks;
