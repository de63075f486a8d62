{% macro clean(column) %}trim(lower({{ column }})){% endmacro %}

{# A list rather than a text, by return(). #}
{% macro fee_bands() %}
    {% set bands = [] %}
    {% do bands.append({'name': 'free', 'condition': '= 0'}) %}
    {% do bands.append({'name': 'late', 'condition': 'between 0.01 and 5'}) %}
    {% do bands.append({'name': 'lost', 'condition': '> 5'}) %}
    {{ return(bands) }}
{% endmacro %}

{% macro count_if(condition) -%}
    {{ return(adapter.dispatch('count_if', 'lending')(condition)) }}
{%- endmacro %}

{% macro default__count_if(condition) %}sum(case when {{ condition }} then 1 else 0 end){% endmacro %}

{% macro duckdb__count_if(condition) %}count(*) filter (where {{ condition }}){% endmacro %}

{% test one_row_for_each(model, columns) %}
select {{ columns | join(', ') }}, count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
