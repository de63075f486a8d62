{#
  True for the rows of cells that changed. A cell is a bucket of time and a shard of organizations. Plinth says which ones through the
  variable `changed_cells`: for each grain the bounds within which they all lie, as literals, so that the engine reads no more than
  those, and a relation that lists them, unless everything between the bounds did. Plain dbt sets no such variable and computes
  everything, which is right, but slower; there, a cell that lost its last row only goes with --full-refresh.
#}
{% macro in_changed_cells(hour, shard, grain='hour') -%}
  {%- set cells = var('changed_cells', none) -%}
  {%- if cells is none -%}
    true
  {%- else -%}
    {{ hour }} >= {{ cells[grain]['from'] }}
  and {{ hour }} < {{ cells[grain]['until'] }}
  {%- if cells[grain]['relation'] is not none %}
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
