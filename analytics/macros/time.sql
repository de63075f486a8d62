{#
  Buckets are UTC, whatever the session's time zone is. Engines differ in how they say so; each has its own macro, the default is
  what PostgreSQL and DuckDB understand.
#}
{% macro utc_hour(column) -%}
  {{ return(adapter.dispatch('utc_hour', 'platform')(column)) }}
{%- endmacro %}

{% macro default__utc_hour(column) -%}
  date_trunc('hour', {{ column }} at time zone 'UTC') at time zone 'UTC'
{%- endmacro %}

{#- DuckDB asks a calendar for every time zone, UTC included, which costs more than all else in a rollup; counting microseconds does not. #}
{% macro duckdb__utc_hour(column) -%}
  make_timestamptz(epoch_us(date_trunc('hour', make_timestamp(epoch_us({{ column }})))))
{%- endmacro %}

{% macro bigquery__utc_hour(column) -%}
  timestamp_trunc({{ column }}, hour, 'UTC')
{%- endmacro %}

{% macro utc_day(column) -%}
  {{ return(adapter.dispatch('utc_day', 'platform')(column)) }}
{%- endmacro %}

{% macro default__utc_day(column) -%}
  cast({{ column }} at time zone 'UTC' as date)
{%- endmacro %}

{% macro duckdb__utc_day(column) -%}
  cast(make_timestamp(epoch_us({{ column }})) as date)
{%- endmacro %}

{% macro bigquery__utc_day(column) -%}
  date({{ column }}, 'UTC')
{%- endmacro %}

{#- A moment one day later. #}
{% macro day_after(moment) -%}
  {{ return(adapter.dispatch('day_after', 'platform')(moment)) }}
{%- endmacro %}

{% macro default__day_after(moment) -%}
  {{ moment }} + interval '1 day'
{%- endmacro %}

{% macro bigquery__day_after(moment) -%}
  timestamp_add({{ moment }}, interval 1 day)
{%- endmacro %}
