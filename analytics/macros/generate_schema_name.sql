{#
  Transforms live in the schema that they are given. dbt's own rule would put the target's schema in front of it.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
