select 3 as id from {{ ref('orders') }}
