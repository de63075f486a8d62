-- The tenants. Everything else hangs on organizations.id, and the rows stay for ever: closing one is a status, deleting
-- one is a date.

create table platform.organizations (
  id uuid not null default gen_random_uuid(),
  slug text not null,
  display_name text not null,
  plan_tier text not null default 'starter',
  monthly_token_budget bigint not null default 0,
  status text not null default 'active',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint organizations_pk
    primary key (id),
  -- plinth:allow constraint-soft-delete-unique reason="a slug names one organization for ever, also one that is gone"
  constraint organizations_slug_key
    unique (slug),
  constraint organizations_id_not_nil_check
    check (id <> '00000000-0000-0000-0000-000000000000'),
  constraint organizations_slug_format_check
    check (slug ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and char_length(slug) between 2 and 63),
  constraint organizations_display_name_length_check
    check (display_name = btrim(display_name) and char_length(display_name) between 1 and 200),
  constraint organizations_plan_tier_check
    check (plan_tier in ('starter', 'growth', 'enterprise')),
  constraint organizations_monthly_token_budget_not_negative_check
    check (monthly_token_budget >= 0),
  constraint organizations_status_check
    check (status in ('active', 'suspended', 'closed')),
  constraint organizations_deleted_after_created_check
    check (deleted_at >= created_at)
);

comment on table platform.organizations is
  'Tenants of the platform, one row each; every tenant''s data carries this row''s id.';
comment on column platform.organizations.id is 'Tenant key; never changes, never reused, never the nil uuid.';
comment on column platform.organizations.slug is
  'Name in URLs: lower case words joined by hyphens, 2 to 63 characters; unique for ever and immutable.';
comment on column platform.organizations.display_name is
  'Name for people, 1 to 200 characters without surrounding blanks; may change.';
comment on column platform.organizations.plan_tier is 'Plan that the tenant pays for: starter, growth or enterprise.';
comment on column platform.organizations.monthly_token_budget is
  'Tokens, input and output together, that the tenant may use in a calendar month (UTC); 0 allows none.';
comment on column platform.organizations.status is
  'active: may use the platform; suspended: may sign in but not call models; closed: ended.';
comment on column platform.organizations.created_at is 'When the tenant signed up.';
comment on column platform.organizations.updated_at is 'When the row changed last; kept by a trigger.';
comment on column platform.organizations.deleted_at is
  'When the tenant was deleted; null while it lives. The row and its slug stay.';

create trigger organizations_touch_updated_at
  before update on platform.organizations
  for each row
  when (old.* is distinct from new.*)
  execute function platform.touch_updated_at();

create trigger organizations_refuse_id_change
  before update on platform.organizations
  for each row
  when (old.id is distinct from new.id)
  execute function platform.refuse_column_change('id', 'Create another organization instead.');

create trigger organizations_refuse_slug_change
  before update on platform.organizations
  for each row
  when (old.slug is distinct from new.slug)
  execute function platform.refuse_column_change(
    'slug',
    'Change display_name, which is what people see, or create another organization.'
  );

alter table platform.organizations
  enable row level security;

alter table platform.organizations
  force row level security;

create policy organizations_tenant
  on platform.organizations
  for all
  to plinth_app
  using (id = (select platform.current_organization_id()))
  with check (id = (select platform.current_organization_id()));

create policy organizations_analytics
  on platform.organizations
  for select
  to plinth_analytics
  using (true);

create policy organizations_migrator
  on platform.organizations
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select, insert, update
  on platform.organizations
  to plinth_app;

grant select (id, slug, display_name, plan_tier, monthly_token_budget, status, created_at, updated_at, deleted_at)
  on platform.organizations
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.organizations
  to plinth_migrator;

-- A request names its tenant by slug before the session can name it by id, and row security hides every row until then.
create function platform.find_organization(organization_slug text)
  returns table (organization_id uuid, status text)
  language sql
  stable
  strict
  security definer
  parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select
    organization.id,
    organization.status
  from platform.organizations as organization
  where organization.slug = organization_slug
    and organization.deleted_at is null
$function$;

comment on function platform.find_organization(text) is
  'Id and status of the living organization with exactly this slug; how a service learns the value for '
  'plinth.organization_id.';

revoke all
  on function platform.find_organization(text)
  from public;

grant execute
  on function platform.find_organization(text)
  to plinth_app, plinth_migrator;
