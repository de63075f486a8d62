{{ config(tags=['nightly'], schema='extra') }} select * from {{ ref('stg_orders') }} union all select * from {{ ref('borrowed') }}
