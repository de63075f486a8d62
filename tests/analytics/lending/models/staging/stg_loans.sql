with source as (
    select * from {{ source('desk', 'loans') }}
),

renamed as (
    select
        loan_id,
        member_id,
        isbn,
        cast(lent_on as {{ dbt.type_timestamp() }}) as lent_at,
        returned_on,
        {{ dbt.dateadd('day', var('loan_days'), 'lent_on') }} as due_at
    from source
)

select * from renamed
