{{ config(materialized='table', tags=['nightly','finance'], group='money', access='public') }} select * from {{ ref('middle') }}
