{{
    config(
        materialized='incremental',
        unique_key='loan_id',
        incremental_strategy='delete+insert',
        tags=['history']
    )
}}

select
    loan_id,
    member_id,
    lent_at,
    '{{ target.type }}' as made_by,
    '{{ this.identifier }}' as kept_in
from {{ ref('stg_loans') }}

{% if is_incremental() %}
where lent_at >= (select max(lent_at) from {{ this }})
{% endif %}
