drop function platform.audit_chain_head(uuid);

drop function platform.verify_audit_chain(uuid);

drop function platform.audit_chain_breaks(uuid);

drop table platform.audit_log_seals;

drop trigger audit_log_entries_seal
  on platform.audit_log_entries;

drop function platform.seal_audit_log_entries();

drop function platform.audit_seal_hash(bytea, bigint, platform.audit_log_entries);

drop function platform.audit_chain_origin(uuid);

drop table platform.audit_log_entries;
