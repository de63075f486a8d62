-- A Rails application, as its structure would be altered by migrations.
-- before
CREATE TABLE "users" ("id" bigserial primary key, "email" character varying DEFAULT '' NOT NULL, "encrypted_password" character varying DEFAULT '' NOT NULL, "nickname" character varying(40), "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
CREATE UNIQUE INDEX "index_users_on_email" ON "users" ("email");
CREATE TABLE "posts" ("id" bigserial primary key, "user_id" bigint, "title" character varying, "body" text, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
-- rows
INSERT INTO users (email, created_at, updated_at) SELECT 'u' || i || '@example.test', now(), now() FROM generate_series(1, 300) i;
INSERT INTO posts (user_id, title, created_at, updated_at) SELECT i, 't', now(), now() FROM generate_series(1, 300) i;
-- step 20260105101500_add_admin_to_users
-- expect: lock AccessExclusiveLock on public.users; quiet
ALTER TABLE "users" ADD "admin" boolean DEFAULT FALSE NOT NULL;
-- step 20260105101600_add_index_to_posts
-- expect: lock ShareLock on public.posts; finds lock-index-nonconcurrent
CREATE INDEX "index_posts_on_user_id" ON "posts" ("user_id");
-- expect: lock ShareRowExclusiveLock on public.posts, ShareRowExclusiveLock on public.users; finds lock-foreign-key-validation
ALTER TABLE "posts" ADD CONSTRAINT "fk_rails_posts_users" FOREIGN KEY ("user_id") REFERENCES "users" ("id");
-- step 20260105101700_widen_nickname
-- expect: lock AccessExclusiveLock on public.users; quiet
ALTER TABLE "users" ALTER COLUMN "nickname" TYPE character varying(120);
-- expect: quiet
ALTER TABLE "users" ALTER COLUMN "nickname" TYPE text;
-- step 20260105101800_shorten_title
-- expect: lock AccessExclusiveLock on public.posts; rewrite public.posts; finds data-narrow-type, rewrite-column-type
ALTER TABLE "posts" ALTER COLUMN "title" TYPE character varying(80);
-- step 20260105101900_rename_body
-- expect: lock AccessExclusiveLock on public.posts; finds compat-rename-column
ALTER TABLE "posts" RENAME COLUMN "body" TO "content";
-- step 20260105102000_comments
-- expect: lock ShareRowExclusiveLock on public.posts; finds index-foreign-key, type-timestamp
CREATE TABLE "comments" ("id" bigserial primary key, "post_id" bigint NOT NULL, "body" text, "created_at" timestamp(6) NOT NULL, CONSTRAINT "fk_rails_comments_posts" FOREIGN KEY ("post_id") REFERENCES "posts" ("id"));
