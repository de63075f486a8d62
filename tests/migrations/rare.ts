/** Something of everything that is rarer than a table, and what somebody may do to it by hand. */

export const rareBase = `
create schema shop;
create type shop.mood as enum ('sad', 'ok');
create type shop.address as (street text, "Post Code" varchar(9), mood shop.mood);
create type shop.span as range (subtype = float8, subtype_diff = float8mi);
create collation shop.german (provider = icu, locale = 'de-DE');
create domain shop.named as text collate "C" check (value <> '');
create domain shop.place as shop.address check ((value).street <> '');
create text search dictionary shop.stems (template = snowball, language = english);
create text search configuration shop.words (parser = default);
alter text search configuration shop.words add mapping for asciiword, word with shop.stems, simple;
create function shop.same(shop.address, shop.address) returns boolean language sql immutable as 'select $1.street = $2.street';
create function shop.alike(int, int) returns boolean language sql immutable as 'select $1 % 10 = $2 % 10';
create function shop.compare(int, int) returns int language sql immutable as 'select $1 - $2';
create function shop.text_of(shop.address) returns text language sql immutable as 'select $1.street';
create function shop.touch() returns trigger language plpgsql as 'begin return new; end';
create function shop.seen() returns event_trigger language plpgsql as 'begin end';
create function shop.larger(int, int) returns int language sql immutable as 'select greatest($1, $2)';
create function shop.largest_of(int) returns bigint language sql immutable as 'select $1::bigint';
create operator shop.=== (function = shop.same, leftarg = shop.address, rightarg = shop.address, commutator = operator(shop.===));
create operator shop.~~~ (function = shop.alike, leftarg = int, rightarg = int, restrict = eqsel, join = eqjoinsel);
create operator family shop.more_ops using btree;
create operator class shop.down_ops for type int using btree family shop.more_ops as
  operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 shop.compare(int, int);
create cast (shop.address as text) with function shop.text_of(shop.address) as assignment;
create aggregate shop.largest(int) (sfunc = shop.larger, stype = int, finalfunc = shop.largest_of, combinefunc = shop.larger, initcond = '0', parallel = safe, sortop = >);
create aggregate shop.middle(float8 order by anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);
create table shop.goods (
  id int generated always as identity primary key,
  name text not null,
  price numeric not null default 0,
  home shop.address,
  kind text not null default 'x'
);
create unique index goods_name on shop.goods (name);
create index goods_down on shop.goods (price) with (fillfactor = 80);
create index goods_odd on shop.goods (id shop.down_ops);
create index goods_words on shop.goods using gin (to_tsvector('shop.words', name));
create index goods_sum on shop.goods ((price + 1));
create table shop.older (id int, note text);
create table shop.newer (id int, note text);
create view shop.cheap as select id, name, price from shop.goods where price < 10;
create view shop.twins as select a.id from shop.goods a join shop.goods b on a.id operator(shop.~~~) b.id;
create materialized view shop.totals as select kind, sum(price) as price from shop.goods group by kind;
create unique index totals_kind on shop.totals (kind);
create index totals_price on shop.totals (price);
create statistics shop.goods_stats (dependencies, ndistinct) on name, kind from shop.goods;
create rule keep as on delete to shop.goods where old.price > 100 do instead nothing;
create trigger cheap_touch instead of update on shop.cheap for each row execute function shop.touch();
create trigger goods_touch before update on shop.goods for each row execute function shop.touch();
create foreign data wrapper far;
create server there type 'file' version '1' foreign data wrapper far options (host 'there', port '1');
create user mapping for public server there options (user 'me', password 'secret');
create foreign table shop.outside (id int options (at '1') not null, name text collate "C") server there options (place 'here');
create view shop.abroad as select id, name from shop.outside;
create trigger outside_touch before update on shop.outside for each row execute function shop.touch();
create publication few for table shop.goods, shop.older with (publish = 'insert, update');
create publication all_of_it for all tables;
create event trigger watch on ddl_command_end when tag in ('CREATE CAST', 'DROP CAST') execute function shop.seen();
create table shop.parted (id int, at date) partition by range (at);
create table shop.parted_old partition of shop.parted for values from (minvalue) to ('2020-01-01');
comment on type shop.address is 'where';
comment on statistics shop.goods_stats is 'how';
comment on operator shop.~~~ (int, int) is 'alike';
comment on rule keep on shop.goods is 'dear ones stay';
comment on foreign table shop.outside is 'far away';
comment on index shop.totals_kind is 'one each';
`

/** Each leaves a database that differs. */
export const rareDeeds: Readonly<Record<string, readonly string[]>> = {
  types: [
    'create type shop.size as (width int, height int)',
    'alter type shop.address add attribute city text',
    'alter type shop.address drop attribute "Post Code"',
    "comment on type shop.address is 'other'",
    "comment on column shop.address.street is 'name and number'",
    'alter type shop.address owner to pg_monitor',
    'create type shop.days as range (subtype = date)',
    'drop type shop.span',
    'drop type shop.span; create type shop.span as range (subtype = float4)',
    "create collation shop.french (provider = icu, locale = 'fr-FR')",
    'drop collation shop.german',
    "drop collation shop.german; create collation shop.german (provider = icu, locale = 'de-AT')",
    'drop domain shop.named',
    'alter domain shop.named set not null',
    'revoke usage on type shop.address from public',
    'grant usage on type shop.mood to pg_monitor',
    "create conversion shop.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8",
  ],
  'text search': [
    'create text search dictionary shop.plain (template = simple)',
    'alter text search configuration shop.words drop mapping for word',
    'alter text search configuration shop.words alter mapping for asciiword with simple',
    "comment on text search configuration shop.words is 'x'",
    'drop text search configuration shop.words cascade',
    'drop text search dictionary shop.stems cascade',
    'alter text search dictionary shop.stems (language = german)',
  ],
  operators: [
    'create operator shop.!!! (function = shop.alike, leftarg = int, rightarg = int)',
    'drop operator shop.=== (shop.address, shop.address)',
    'alter operator shop.~~~ (int, int) set (restrict = none)',
    "comment on operator shop.~~~ (int, int) is 'x'",
    'alter operator shop.~~~ (int, int) owner to pg_monitor',
    'drop operator class shop.down_ops using btree cascade',
    'create operator class shop.up_ops for type int using hash as operator 1 =, function 1 hashint4(int)',
    'alter operator family shop.more_ops using btree add operator 1 < (int, bigint)',
    'create cast (int as shop.mood) with inout',
    'drop cast (shop.address as text)',
    'drop aggregate shop.largest(int)',
    "drop aggregate shop.largest(int); create aggregate shop.largest(int) (sfunc = shop.larger, stype = int, initcond = '1')",
    'drop aggregate shop.middle(float8 order by anyelement)',
  ],
  'parts of tables and views': [
    'drop statistics shop.goods_stats',
    'alter statistics shop.goods_stats set statistics 500',
    'comment on statistics shop.goods_stats is null',
    'create statistics shop.more (mcv) on id, price from shop.goods',
    'drop rule keep on shop.goods',
    'create or replace rule keep as on delete to shop.goods where old.price > 7 do instead nothing',
    'create rule also as on insert to shop.goods do also notify goods',
    'alter table shop.goods disable rule keep',
    'comment on rule keep on shop.goods is null',
    'drop trigger cheap_touch on shop.cheap',
    'create trigger more instead of insert on shop.cheap for each row execute function shop.touch()',
    'alter table shop.goods enable always trigger goods_touch',
    'alter table shop.goods enable replica trigger goods_touch',
    'drop index shop.totals_kind',
    'comment on index shop.totals_kind is null',
    'create index more on shop.totals (kind, price)',
    "alter view shop.cheap alter column name set default 'none'",
    'drop view shop.cheap cascade',
    'drop materialized view shop.totals',
    'drop table shop.goods cascade',
    'drop rule keep on shop.goods; drop view shop.cheap cascade; drop materialized view shop.totals; alter table shop.goods alter column price type float8',
    'create function shop.text_of(int) returns text language sql as $$ select null::text $$; create table shop.things (a int); create rule x as on delete to shop.things do instead nothing',
  ],
  storage: [
    'alter table shop.goods alter column name set statistics 500',
    'alter table shop.goods alter column name set storage external',
    'alter table shop.goods alter column name set compression pglz',
    'alter table shop.goods alter column name set (n_distinct = -0.5)',
    'alter index shop.goods_sum alter column 1 set statistics 700',
    'alter table shop.goods set (fillfactor = 70, toast.autovacuum_enabled = false)',
    'alter index shop.goods_down set (fillfactor = 70)',
    'alter table shop.newer set unlogged',
    'alter table shop.goods replica identity full',
    'alter table shop.goods replica identity using index goods_name',
    'alter table shop.goods cluster on goods_down',
    'alter table shop.goods force row level security',
    'alter table shop.newer inherit shop.older',
    'alter table shop.goods alter column id set increment by 5 set cache 3',
    'alter materialized view shop.totals cluster on totals_price',
    'create table shop.big (note text, more bytea); alter table shop.big alter column note set storage external, alter column more set statistics 0',
  ],
  foreign: [
    'create foreign data wrapper farther',
    "create server elsewhere foreign data wrapper far options (host 'x')",
    "alter server there options (set host 'y', drop port)",
    "comment on server there is 'x'",
    'grant usage on foreign server there to pg_monitor',
    'create user mapping for pg_monitor server there',
    'drop user mapping for public server there',
    'drop foreign table shop.outside cascade',
    'drop server there cascade',
    'alter foreign table shop.outside add column more int not null default 5',
    'drop view shop.abroad; alter foreign table shop.outside drop column name',
    "alter foreign table shop.outside options (set place 'there')",
    'alter foreign table shop.outside add constraint positive check (id > 0)',
    'grant select on shop.outside to pg_monitor',
    'alter foreign table shop.outside owner to pg_monitor',
    'comment on foreign table shop.outside is null',
    'drop trigger outside_touch on shop.outside',
    'create foreign table shop.more (a int) server there',
    "create foreign table shop.parted_far partition of shop.parted for values from ('2020-01-01') to (maxvalue) server there",
  ],
  replication: [
    'alter publication few add table shop.newer',
    'alter publication few drop table shop.goods',
    "alter publication few set (publish = 'insert')",
    'alter publication few set (publish_via_partition_root = true)',
    "comment on publication few is 'x'",
    'drop publication few',
    'drop publication all_of_it',
    'create publication more for table shop.newer',
    "create subscription from_there connection 'host=nowhere password=secret' publication few with (connect = false, slot_name = none)",
  ],
  'event triggers': [
    'drop event trigger watch',
    'alter event trigger watch disable',
    'alter event trigger watch enable always',
    "comment on event trigger watch is 'x'",
    'create event trigger more on sql_drop execute function shop.seen()',
  ],
  defaults: [
    'alter default privileges in schema shop grant usage on types to pg_monitor',
    'alter default privileges grant usage on schemas to pg_monitor',
  ],
}
