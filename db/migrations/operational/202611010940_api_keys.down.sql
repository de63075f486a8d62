drop function platform.find_api_key(bytea);

drop table platform.api_keys;

drop function platform.scopes_are_valid(text[]);
