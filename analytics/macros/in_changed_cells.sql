{#
  True for the rows of cells that changed. A cell is a bucket of time and a shard of organizations. Plinth says which ones through the
  variable `changed_cells`: for each grain the bounds within which they all lie, as literals, so that the engine reads no more than
  those, and a relation that lists them, unless everything between the bounds did. Plain dbt sets no such variable and computes
  everything, which is right, but slower; there, a cell that lost its last row only goes with --full-refresh.
  A transform whose rows are each made from rows of one organization names its column, here and in its meta: where few organizations
  changed in a cell, it then computes theirs alone.
#}
{% macro in_changed_cells(hour, shard, grain='hour', organization=none) -%}
  {%- set cells = var('changed_cells', none) -%}
  {%- if cells is none -%}
    true
  {%- else -%}
    {{ hour }} >= {{ cells[grain]['from'] }}
  and {{ hour }} < {{ cells[grain]['until'] }}
  {%- if organization is not none and cells[grain]['organizations'] %}
  and {{ is_listed_for(utc_day(hour) if grain == 'day' else hour, shard, organization, cells[grain]['organizations']) }}
  {%- elif cells[grain]['relation'] is not none %}
  and {{ is_listed(utc_day(hour) if grain == 'day' else hour, shard, cells[grain]['relation']) }}
  {%- endif -%}
  {%- endif -%}
{%- endmacro %}

{% macro is_listed(bucket, shard, relation) -%}
  {{ return(adapter.dispatch('is_listed', 'platform')(bucket, shard, relation)) }}
{%- endmacro %}

{% macro default__is_listed(bucket, shard, relation) -%}
  exists (
    select 1
    from {{ relation }} as changed_cell
    where changed_cell.bucket = {{ bucket }}
      and changed_cell.shard = {{ shard }}
  )
{%- endmacro %}

{#- The same for DuckDB, which answers `exists` of two columns by gathering all cells of the table first. #}
{% macro duckdb__is_listed(bucket, shard, relation) -%}
  ({{ bucket }}, {{ shard }}) in (select (changed_cell.bucket, changed_cell.shard) from {{ relation }} as changed_cell)
{%- endmacro %}

{% macro is_listed_for(bucket, shard, organization, relation) -%}
  {{ return(adapter.dispatch('is_listed_for', 'platform')(bucket, shard, organization, relation)) }}
{%- endmacro %}

{% macro default__is_listed_for(bucket, shard, organization, relation) -%}
  exists (
    select 1
    from {{ relation }} as changed_cell
    where changed_cell.bucket = {{ bucket }}
      and changed_cell.shard = {{ shard }}
      and changed_cell.organization = {{ organization }}
  )
{%- endmacro %}

{% macro duckdb__is_listed_for(bucket, shard, organization, relation) -%}
  ({{ bucket }}, {{ shard }}, {{ organization }}) in (
    select (changed_cell.bucket, changed_cell.shard, changed_cell.organization) from {{ relation }} as changed_cell
  )
{%- endmacro %}
