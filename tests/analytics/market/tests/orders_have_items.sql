select * from {{ ref('orders') }} where id not in (select id from {{ ref('items') }})
