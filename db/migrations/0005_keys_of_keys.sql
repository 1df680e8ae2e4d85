ALTER TABLE "users"."api_keys" ADD COLUMN "created_by" text;--> statement-breakpoint
CREATE INDEX "api_keys_created_by" ON "users"."api_keys" USING btree ("created_by") WHERE created_by is not null;