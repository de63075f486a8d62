-- A dump that becomes the first migration: tables, then keys, then indexes.
-- before
create schema app;
create table app.countries (code text primary key, name text not null);
-- rows
insert into app.countries values ('CH', 'Switzerland'), ('FR', 'France');
-- step 202603120001_baseline
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
-- expect: quiet
CREATE TABLE app.cities (
    id bigint NOT NULL,
    country text NOT NULL,
    name text NOT NULL
);
-- expect: quiet
ALTER TABLE app.cities ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.cities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
-- expect: quiet
ALTER TABLE ONLY app.cities ADD CONSTRAINT cities_pkey PRIMARY KEY (id);
-- expect: quiet
ALTER TABLE ONLY app.cities ADD CONSTRAINT cities_country_name_key UNIQUE (country, name);
-- expect: quiet
CREATE INDEX cities_name_idx ON app.cities USING btree (name);
-- expect: lock ShareRowExclusiveLock on app.countries; quiet
ALTER TABLE ONLY app.cities ADD CONSTRAINT cities_country_fkey FOREIGN KEY (country) REFERENCES app.countries(code);
