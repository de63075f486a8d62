{% macro duckdb__columns_but(relation, left) %}
  {%- set names = adapter.get_columns_in_relation(relation) | map(attribute='name') | reject('in', left) | list -%}
  {{ names | join(', ') }}
{% endmacro %}

{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
  {{ 'made_' if node.resource_type == 'model' else '' }}{{ custom_alias_name or node.name }}{{ '_v' ~ node.version if node.version }}
{%- endmacro %}

{% macro tell(results) %}
  {% if execute %}
    {% for result in results if result.node.resource_type == 'seed' %}
      insert into {{ target.schema }}.visits values ('end of {{ result.node.name }}');
    {% endfor %}
  {% endif %}
{% endmacro %}
