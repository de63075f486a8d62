{% macro distinct_values(relation, column) %}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {%- set found = run_query('select distinct ' ~ column ~ ' as one from ' ~ relation ~ ' order by 1') -%}
  {{ return(found.columns[0].values() | list) }}
{% endmacro %}

{% macro columns_but(relation, left) %}{{ return(adapter.dispatch('columns_but', 'tools')(relation, left)) }}{% endmacro %}

{% macro default__columns_but(relation, left) %}
  {%- set names = adapter.get_columns_in_relation(relation) | map(attribute='name') | reject('in', left) | list -%}
  {{ names | map('upper') | join(', ') }}
{% endmacro %}

{% test no_more_than(model, column_name, most) %}
{{ config(severity='warn') }}
select * from {{ model }} where {{ column_name }} > {{ most }}
{% endtest %}

{% macro in_words(column) %}case when {{ column }} > {{ var('sharpest') }} - 3 then 'sharp' else 'blunt' end{% endmacro %}
