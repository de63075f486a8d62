-- A product with many organizations: what every table owes them.
-- settings: {"tenantColumn":"organization_id","tenantTable":"public.organizations"}
-- before
create table organizations (id bigint generated always as identity primary key, name text not null);
create table projects (id bigint generated always as identity primary key, organization_id bigint not null references organizations (id), name text not null, unique (organization_id, id), unique (organization_id, name));
alter table projects enable row level security;
alter table projects force row level security;
create policy tenant on projects using (organization_id = current_setting('app.organization', true)::bigint) with check (organization_id = current_setting('app.organization', true)::bigint);
create table tags (id bigint generated always as identity primary key, name text not null);
alter table tags enable row level security;
create policy everybody on tags for select using (true);
-- rows
insert into organizations (name) select 'o' || i from generate_series(1, 10) i;
insert into projects (organization_id, name) select 1 + i % 10, 'p' || i from generate_series(1, 100) i;
-- step 202601110001_tasks
-- expect: lock ShareRowExclusiveLock on public.projects; quiet
create table tasks (
  id bigint generated always as identity primary key,
  organization_id bigint not null,
  project_id bigint not null,
  title text not null,
  constraint tasks_project_fkey foreign key (organization_id, project_id) references projects (organization_id, id)
);
-- expect: quiet
create index tasks_project_idx on tasks (organization_id, project_id);
-- expect: quiet
alter table tasks enable row level security;
-- expect: quiet
alter table tasks force row level security;
-- expect: quiet
create policy tenant on tasks
  using (organization_id = current_setting('app.organization', true)::bigint)
  with check (organization_id = current_setting('app.organization', true)::bigint);
-- step 202601110002_labels
-- expect: lock ShareRowExclusiveLock on public.organizations; finds tenant-row-security
create table labels (
  id bigint generated always as identity primary key,
  organization_id bigint not null constraint labels_organization_id_fkey references organizations (id),
  name text not null
);
-- expect: quiet
create index labels_organization_id_idx on labels (organization_id, name);
-- step 202601110003_attachments
-- expect: finds tenant-column-missing
create table attachments (id bigint generated always as identity primary key, url text not null);
-- step 202601110004_open_policy
-- expect: lock AccessExclusiveLock on public.projects; finds tenant-policy-true
create policy everybody on projects for select using (true);
-- step 202601110005_off
-- expect: lock AccessExclusiveLock on public.tags; finds data-disable-row-security
alter table tags disable row level security;
