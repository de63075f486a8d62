-- Drizzle's output, with its breakpoints.
-- before
CREATE TABLE "notes" ("id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL, "body" text NOT NULL, "pinned" boolean DEFAULT false NOT NULL, "owner" uuid NOT NULL);
-- rows
INSERT INTO notes (body, owner) SELECT 'n' || i, gen_random_uuid() FROM generate_series(1, 200) i;
-- step 202601100001_tags
-- expect: quiet
CREATE TABLE "tags" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"label" text NOT NULL,
	CONSTRAINT "tags_label_unique" UNIQUE("label")
);
--> statement-breakpoint
-- expect: quiet
CREATE TABLE "notes_to_tags" (
	"note_id" uuid NOT NULL,
	"tag_id" uuid NOT NULL,
	CONSTRAINT "notes_to_tags_pk" PRIMARY KEY("note_id","tag_id")
);
--> statement-breakpoint
-- expect: lock ShareRowExclusiveLock on public.notes; quiet
ALTER TABLE "notes_to_tags" ADD CONSTRAINT "notes_to_tags_note_id_fk" FOREIGN KEY ("note_id") REFERENCES "public"."notes"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
-- expect: finds index-foreign-key
ALTER TABLE "notes_to_tags" ADD CONSTRAINT "notes_to_tags_tag_id_fk" FOREIGN KEY ("tag_id") REFERENCES "public"."tags"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
-- expect: lock AccessExclusiveLock on public.notes; quiet
ALTER TABLE "notes" ADD COLUMN "updated_at" timestamp with time zone DEFAULT now() NOT NULL;
--> statement-breakpoint
-- expect: fails; finds compat-not-null-without-default
ALTER TABLE "notes" ADD COLUMN "color" text, ALTER COLUMN "color" SET DEFAULT 'grey', ALTER COLUMN "color" SET NOT NULL;
-- step 202601100002_bodies
-- expect: lock AccessExclusiveLock on public.notes; rewrite public.notes; finds rewrite-column-type
ALTER TABLE "notes" ALTER COLUMN "body" SET DATA TYPE jsonb USING to_jsonb(body);
