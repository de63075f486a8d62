-- What Prisma writes: quoted names in camel case, everything in one file.
-- before
CREATE TABLE "User" ("id" TEXT NOT NULL, "email" TEXT NOT NULL, CONSTRAINT "User_pkey" PRIMARY KEY ("id"));
CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');
-- rows
INSERT INTO "User" SELECT 'c' || i, i || '@example.test' FROM generate_series(1, 100) i;
-- step 20260107120000_posts
-- CreateTable
-- expect: finds type-timestamp
CREATE TABLE "Post" (
    "id" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "authorId" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Post_pkey" PRIMARY KEY ("id")
);
-- CreateIndex
-- expect: quiet
CREATE INDEX "Post_authorId_idx" ON "Post"("authorId");
-- AddForeignKey
-- expect: lock ShareRowExclusiveLock on public.User; quiet
ALTER TABLE "Post" ADD CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
-- step 20260108120000_roles
-- AlterTable
-- expect: lock AccessExclusiveLock on public.User; quiet
ALTER TABLE "User" ADD COLUMN     "role" "Role" NOT NULL DEFAULT 'USER';
-- CreateIndex
-- expect: lock ShareLock on public.User; finds lock-index-nonconcurrent
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");
-- step 20260109120000_drop_role
-- AlterTable
-- expect: lock AccessExclusiveLock on public.User; finds data-drop-column
ALTER TABLE "User" DROP COLUMN "role";
-- DropEnum
-- expect: quiet
DROP TYPE "Role";
