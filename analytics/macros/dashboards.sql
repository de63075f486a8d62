{#
  What the dashboards' queries share. A dashboard says its window by the variables `from_day` and `until_day`, two days (UTC) of which the
  second is not included; without them a query looks at everything.
#}
{% macro in_window_of_days(day) -%}
  {{ day }} >= date '{{ var('from_day', '0001-01-01') }}' and {{ day }} < date '{{ var('until_day', '9999-12-31') }}'
{%- endmacro %}

{% macro in_window_of_hours(moment) -%}
  {{ moment }} >= {{ utc_midnight(var('from_day', '0001-01-01')) }} and {{ moment }} < {{ utc_midnight(var('until_day', '9999-12-31')) }}
{%- endmacro %}

{% macro utc_midnight(day) -%}
  {{ return(adapter.dispatch('utc_midnight', 'platform')(day)) }}
{%- endmacro %}

{% macro default__utc_midnight(day) -%}
  timestamptz '{{ day }} 00:00:00+00'
{%- endmacro %}

{% macro bigquery__utc_midnight(day) -%}
  timestamp '{{ day }} 00:00:00+00'
{%- endmacro %}

{% macro month_of(day) -%}
  {{ return(adapter.dispatch('month_of', 'platform')(day)) }}
{%- endmacro %}

{% macro default__month_of(day) -%}
  cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{% macro bigquery__month_of(day) -%}
  date_trunc({{ day }}, month)
{%- endmacro %}

{% macro month_before(month) -%}
  {{ return(adapter.dispatch('month_before', 'platform')(month)) }}
{%- endmacro %}

{% macro default__month_before(month) -%}
  cast({{ month }} - interval 1 month as date)
{%- endmacro %}

{% macro bigquery__month_before(month) -%}
  date_sub({{ month }}, interval 1 month)
{%- endmacro %}

{# Whole minutes from one moment to another. #}
{% macro minutes_between(first, second) -%}
  {{ return(adapter.dispatch('minutes_between', 'platform')(first, second)) }}
{%- endmacro %}

{% macro default__minutes_between(first, second) -%}
  cast(floor((epoch_us({{ second }}) - epoch_us({{ first }})) / 60000000) as bigint)
{%- endmacro %}

{% macro bigquery__minutes_between(first, second) -%}
  cast(floor((unix_micros({{ second }}) - unix_micros({{ first }})) / 60000000) as int64)
{%- endmacro %}

{# A part of a whole, as a number between 0 and 1 with four digits; 0 where there is no whole. #}
{% macro share(part, whole) -%}
  coalesce(round({{ part }} / nullif({{ whole }}, 0), 4), 0)
{%- endmacro %}

{#
  Latencies in milliseconds by groups, from bins that are already added up: the relation has the groups' columns, `latency_bin` and
  `requests`. Sketches add up, so this is the same as one sketch of all the calls.
#}
{% macro latency_quantiles(bins, groups) -%}
  select
    {% for column in groups %}{{ column }}, {% endfor %}
    {% for part in [50, 95, 99] -%}
    round({{ latency_of_bin('min(case when up_to * 100 >= total * ' ~ part ~ ' then latency_bin end)') }}, 1) as latency_ms_p{{ part }},
    {% endfor -%}
    max(total) as requests
  from (
    select
      {% for column in groups %}{{ column }}, {% endfor %}
      latency_bin,
      sum(requests) over ({% if groups %}partition by {{ groups | join(', ') }} {% endif %}order by latency_bin) as up_to,
      sum(requests) over ({% if groups %}partition by {{ groups | join(', ') }}{% endif %}) as total
    from {{ bins }}
  ) as ranked
  {% if groups %}group by {{ groups | join(', ') }}{% endif %}
{%- endmacro %}
