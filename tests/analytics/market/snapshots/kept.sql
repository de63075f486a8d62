{% snapshot orders_kept %}{{ config(target_schema='kept', unique_key='id', strategy='check', check_cols=['id']) }} select * from {{ ref('orders') }}{% endsnapshot %}
