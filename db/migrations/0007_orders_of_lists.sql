DROP INDEX "tts"."generations_owner";--> statement-breakpoint
DROP INDEX "tts"."generations_owner_voice";--> statement-breakpoint
DROP INDEX "voices"."voices_by_owner";--> statement-breakpoint
DROP INDEX "voices"."voices_library";--> statement-breakpoint
CREATE INDEX "generations_owner" ON "tts"."generations" USING btree ("owner_id","id");--> statement-breakpoint
CREATE INDEX "generations_owner_voice" ON "tts"."generations" USING btree ("owner_id","voice_id","id");--> statement-breakpoint
CREATE INDEX "voices_by_owner" ON "voices"."voices" USING btree ("owner_id","created_at","id") WHERE "voices"."voices"."owner_id" is not null and "voices"."voices"."status" <> 'DELETING';--> statement-breakpoint
CREATE INDEX "voices_library" ON "voices"."voices" USING btree ("created_at","id") WHERE "voices"."voices"."owner_id" is null;