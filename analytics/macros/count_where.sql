{% macro count_where(condition) -%}
  {{ return(adapter.dispatch('count_where', 'platform')(condition)) }}
{%- endmacro %}

{% macro default__count_where(condition) -%}
  count(*) filter (where {{ condition }})
{%- endmacro %}

{% macro bigquery__count_where(condition) -%}
  countif({{ condition }})
{%- endmacro %}
