/**
 * Makes the schema `plinth` where it is missing. `create schema if not exists` asks for the right to create one also where it is there, and an
 * administrator who made it beforehand did not want to grant that.
 */
export const ownSchema = `do $plinth$
begin
  if pg_catalog.to_regnamespace('plinth') is null then
    create schema if not exists plinth;
  end if;
exception when unique_violation or duplicate_schema then null;
end
$plinth$`
