{% snapshot branches_by_check %}
{{ config(unique_key='id', strategy='check', check_cols=['state'], hard_deletes='invalidate', schema='kept') }}
select id, state from {{ ref('branches') }}
{% endsnapshot %}
