CREATE SCHEMA "billing";
--> statement-breakpoint
CREATE SCHEMA "tts";
--> statement-breakpoint
CREATE SCHEMA "users";
--> statement-breakpoint
CREATE SCHEMA "voices";
--> statement-breakpoint
CREATE TABLE "billing"."accounts" (
	"user_id" text PRIMARY KEY NOT NULL,
	"plan_id" text NOT NULL,
	"period_start" timestamp (3) with time zone NOT NULL,
	"period_end" timestamp (3) with time zone NOT NULL,
	"credit_limit" integer NOT NULL,
	"bonus" integer DEFAULT 0 NOT NULL,
	"used" integer DEFAULT 0 NOT NULL,
	"held" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "accounts_used" CHECK ("billing"."accounts"."used" >= 0),
	CONSTRAINT "accounts_held" CHECK ("billing"."accounts"."held" >= 0),
	CONSTRAINT "accounts_bonus" CHECK ("billing"."accounts"."bonus" >= 0),
	CONSTRAINT "accounts_available" CHECK ("billing"."accounts"."credit_limit" - "billing"."accounts"."used" - "billing"."accounts"."held" >= 0),
	CONSTRAINT "accounts_period" CHECK ("billing"."accounts"."period_start" < "billing"."accounts"."period_end")
);
--> statement-breakpoint
CREATE TABLE "billing"."entries" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "billing"."entries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" text NOT NULL,
	"generation_id" text,
	"kind" text NOT NULL,
	"credits" integer NOT NULL,
	"period_start" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "entries_kind" CHECK ("billing"."entries"."kind" in ('HOLD', 'COMMIT', 'RELEASE', 'EXPIRE', 'GRANT', 'ROLLOVER')),
	CONSTRAINT "entries_credits" CHECK ("billing"."entries"."credits" >= 0)
);
--> statement-breakpoint
CREATE TABLE "billing"."holds" (
	"generation_id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"state" text DEFAULT 'HELD' NOT NULL,
	"reserved" integer NOT NULL,
	"committed" integer DEFAULT 0 NOT NULL,
	"released" integer DEFAULT 0 NOT NULL,
	"ttl_seconds" integer NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"settled_at" timestamp (3) with time zone,
	CONSTRAINT "holds_state" CHECK ("billing"."holds"."state" in ('HELD', 'COMMITTED', 'RELEASED', 'EXPIRED')),
	CONSTRAINT "holds_amounts" CHECK ("billing"."holds"."ttl_seconds" > 0 and "billing"."holds"."reserved" > 0 and "billing"."holds"."committed" >= 0 and "billing"."holds"."released" >= 0),
	CONSTRAINT "holds_within_reserved" CHECK ("billing"."holds"."committed" + "billing"."holds"."released" <= "billing"."holds"."reserved"),
	CONSTRAINT "holds_settled" CHECK ("billing"."holds"."state" = 'HELD' or "billing"."holds"."committed" + "billing"."holds"."released" = "billing"."holds"."reserved")
);
--> statement-breakpoint
CREATE TABLE "tts"."audio_cache" (
	"owner_id" text NOT NULL,
	"content_hash" text NOT NULL,
	"rendering_id" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "audio_cache_owner_id_content_hash_pk" PRIMARY KEY("owner_id","content_hash")
);
--> statement-breakpoint
CREATE TABLE "tts"."chunks" (
	"rendering_id" text NOT NULL,
	"index" integer NOT NULL,
	"char_start" integer NOT NULL,
	"char_end" integer NOT NULL,
	"state" text DEFAULT 'QUEUED' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"failure_code" text,
	"failure_message" text,
	"failure_retryable" boolean,
	"audio_key" text,
	"sample_count" integer,
	"words" jsonb,
	"start_sample" integer,
	"announced" boolean DEFAULT false NOT NULL,
	CONSTRAINT "chunks_rendering_id_index_pk" PRIMARY KEY("rendering_id","index"),
	CONSTRAINT "chunks_state" CHECK ("tts"."chunks"."state" in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIALLY_FAILED', 'FAILED', 'CANCELED')),
	CONSTRAINT "chunks_sound" CHECK ("tts"."chunks"."state" <> 'SUCCEEDED' or num_nonnulls("tts"."chunks"."audio_key", "tts"."chunks"."sample_count", "tts"."chunks"."words") = 3),
	CONSTRAINT "chunks_range" CHECK ("tts"."chunks"."char_start" < "tts"."chunks"."char_end")
);
--> statement-breakpoint
CREATE TABLE "tts"."events" (
	"generation_id" text NOT NULL,
	"sequence" integer NOT NULL,
	"kind" text NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "events_generation_id_sequence_pk" PRIMARY KEY("generation_id","sequence"),
	CONSTRAINT "events_kind" CHECK ("tts"."events"."kind" in ('PROGRESSED', 'CHUNK_READY', 'FINISHED'))
);
--> statement-breakpoint
CREATE TABLE "tts"."generations" (
	"id" text PRIMARY KEY NOT NULL,
	"owner_id" text NOT NULL,
	"rendering_id" text NOT NULL,
	"voice_id" text NOT NULL,
	"voice_revision" integer NOT NULL,
	"model_id" text NOT NULL,
	"format" text NOT NULL,
	"speed" double precision NOT NULL,
	"text" text NOT NULL,
	"characters" integer NOT NULL,
	"micro_credits_per_character" integer NOT NULL,
	"state" text NOT NULL,
	"cache_hit" boolean DEFAULT false NOT NULL,
	"chunks_total" integer NOT NULL,
	"chunks_done" integer DEFAULT 0 NOT NULL,
	"characters_done" integer DEFAULT 0 NOT NULL,
	"last_sequence" integer DEFAULT 0 NOT NULL,
	"run_token" text,
	"runs" integer DEFAULT 0 NOT NULL,
	"failure_code" text,
	"failure_message" text,
	"failure_retryable" boolean,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"completed_at" timestamp (3) with time zone,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "generations_state" CHECK ("tts"."generations"."state" in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIALLY_FAILED', 'FAILED', 'CANCELED')),
	CONSTRAINT "generations_done" CHECK ("tts"."generations"."chunks_done" <= "tts"."generations"."chunks_total" and "tts"."generations"."characters_done" <= "tts"."generations"."characters"),
	CONSTRAINT "generations_completed" CHECK (("tts"."generations"."completed_at" is null) = ("tts"."generations"."state" in ('QUEUED', 'RUNNING')))
);
--> statement-breakpoint
CREATE TABLE "tts"."renderings" (
	"id" text PRIMARY KEY NOT NULL,
	"owner_id" text NOT NULL,
	"content_hash" text NOT NULL,
	"sample_rate" integer,
	"joined_chunks" integer DEFAULT 0 NOT NULL,
	"joined_samples" integer DEFAULT 0 NOT NULL,
	"audio_key" text,
	"audio_duration_ms" integer,
	"audio_size_bytes" bigint,
	"audio_sha256" text,
	"audio_stored_at" timestamp (3) with time zone,
	"chunk_audio_discarded_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "renderings_audio" CHECK (num_nonnulls("tts"."renderings"."audio_key", "tts"."renderings"."audio_duration_ms", "tts"."renderings"."audio_size_bytes", "tts"."renderings"."audio_sha256", "tts"."renderings"."audio_stored_at") in (0, 5))
);
--> statement-breakpoint
CREATE TABLE "tts"."idempotency_keys" (
	"user_id" text NOT NULL,
	"operation" text NOT NULL,
	"key" text NOT NULL,
	"input_hash" text NOT NULL,
	"result" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_user_id_operation_key_pk" PRIMARY KEY("user_id","operation","key")
);
--> statement-breakpoint
CREATE TABLE "users"."users" (
	"id" text PRIMARY KEY NOT NULL,
	"issuer" text NOT NULL,
	"subject" text NOT NULL,
	"email" text,
	"display_name" text,
	"role" text DEFAULT 'USER' NOT NULL,
	"blocked_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_role" CHECK ("users"."users"."role" in ('USER', 'SUPPORT', 'ADMIN'))
);
--> statement-breakpoint
CREATE TABLE "voices"."consents" (
	"voice_id" text PRIMARY KEY NOT NULL,
	"owner_id" text NOT NULL,
	"state" text NOT NULL,
	"speaker_name" text NOT NULL,
	"statement" text NOT NULL,
	"locale" text NOT NULL,
	"attested" boolean NOT NULL,
	"recording" jsonb,
	"recorded_at" timestamp (3) with time zone NOT NULL,
	"verified_at" timestamp (3) with time zone,
	CONSTRAINT "consents_state" CHECK ("state" in ('MISSING', 'ATTESTED', 'VERIFIED', 'REVOKED', 'REJECTED'))
);
--> statement-breakpoint
CREATE TABLE "voices"."samples" (
	"id" text PRIMARY KEY NOT NULL,
	"voice_id" text NOT NULL,
	"owner_id" text NOT NULL,
	"position" integer NOT NULL,
	"file_name" text NOT NULL,
	"mime_type" text NOT NULL,
	"size_bytes" integer NOT NULL,
	"sha256" text NOT NULL,
	"duration_ms" integer,
	CONSTRAINT "samples_in_order" UNIQUE("voice_id","position")
);
--> statement-breakpoint
CREATE TABLE "voices"."voices" (
	"id" text PRIMARY KEY NOT NULL,
	"owner_id" text,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"languages" text[] DEFAULT '{}' NOT NULL,
	"labels" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"profile" jsonb,
	"revision" integer DEFAULT 0 NOT NULL,
	"match" jsonb,
	"fitting" real,
	"failure" jsonb,
	"preview_key" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "voices_kind" CHECK ("kind" in ('PREMADE', 'CLONED_INSTANT', 'CLONED_PROFESSIONAL', 'DESIGNED')),
	CONSTRAINT "voices_status" CHECK ("status" in ('AWAITING_UPLOAD', 'AWAITING_CONSENT', 'PROCESSING', 'READY', 'FAILED', 'DELETING')),
	CONSTRAINT "voices_owner" CHECK (("voices"."voices"."owner_id" is null) = ("voices"."voices"."kind" = 'PREMADE')),
	CONSTRAINT "voices_ready" CHECK ("voices"."voices"."status" <> 'READY' or "voices"."voices"."profile" is not null),
	CONSTRAINT "voices_failed" CHECK ("voices"."voices"."status" = 'DELETING' or ("voices"."voices"."status" = 'FAILED') = ("voices"."voices"."failure" is not null))
);
--> statement-breakpoint
CREATE TABLE "voices"."idempotency_keys" (
	"user_id" text NOT NULL,
	"operation" text NOT NULL,
	"key" text NOT NULL,
	"input_hash" text NOT NULL,
	"result" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_user_id_operation_key_pk" PRIMARY KEY("user_id","operation","key")
);
--> statement-breakpoint
ALTER TABLE "billing"."entries" ADD CONSTRAINT "entries_user_id_accounts_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "billing"."accounts"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "billing"."holds" ADD CONSTRAINT "holds_user_id_accounts_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "billing"."accounts"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tts"."audio_cache" ADD CONSTRAINT "audio_cache_rendering_id_renderings_id_fk" FOREIGN KEY ("rendering_id") REFERENCES "tts"."renderings"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tts"."chunks" ADD CONSTRAINT "chunks_rendering_id_renderings_id_fk" FOREIGN KEY ("rendering_id") REFERENCES "tts"."renderings"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tts"."events" ADD CONSTRAINT "events_generation_id_generations_id_fk" FOREIGN KEY ("generation_id") REFERENCES "tts"."generations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tts"."generations" ADD CONSTRAINT "generations_rendering_id_renderings_id_fk" FOREIGN KEY ("rendering_id") REFERENCES "tts"."renderings"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "voices"."consents" ADD CONSTRAINT "consents_voice_id_voices_id_fk" FOREIGN KEY ("voice_id") REFERENCES "voices"."voices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "voices"."samples" ADD CONSTRAINT "samples_voice_id_voices_id_fk" FOREIGN KEY ("voice_id") REFERENCES "voices"."voices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "entries_user_period" ON "billing"."entries" USING btree ("user_id","period_start");--> statement-breakpoint
CREATE INDEX "entries_generation" ON "billing"."entries" USING btree ("generation_id");--> statement-breakpoint
CREATE INDEX "holds_user" ON "billing"."holds" USING btree ("user_id","generation_id");--> statement-breakpoint
CREATE INDEX "holds_expiring" ON "billing"."holds" USING btree ("expires_at") WHERE state = 'HELD';--> statement-breakpoint
CREATE INDEX "audio_cache_rendering" ON "tts"."audio_cache" USING btree ("rendering_id");--> statement-breakpoint
CREATE INDEX "generations_owner" ON "tts"."generations" USING btree ("owner_id","id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "generations_owner_voice" ON "tts"."generations" USING btree ("owner_id","voice_id","id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "generations_active" ON "tts"."generations" USING btree ("owner_id","id") WHERE state in ('QUEUED', 'RUNNING');--> statement-breakpoint
CREATE INDEX "generations_rendering" ON "tts"."generations" USING btree ("rendering_id");--> statement-breakpoint
CREATE INDEX "renderings_chunk_audio" ON "tts"."renderings" USING btree ("audio_stored_at") WHERE chunk_audio_discarded_at is null and audio_stored_at is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "users_issuer_subject" ON "users"."users" USING btree ("issuer","subject");--> statement-breakpoint
CREATE INDEX "voices_by_owner" ON "voices"."voices" USING btree ("owner_id","created_at" DESC NULLS LAST,"id" DESC NULLS LAST) WHERE "voices"."voices"."owner_id" is not null and "voices"."voices"."status" <> 'DELETING';--> statement-breakpoint
CREATE INDEX "voices_library" ON "voices"."voices" USING btree ("created_at" DESC NULLS LAST,"id" DESC NULLS LAST) WHERE "voices"."voices"."owner_id" is null;--> statement-breakpoint
CREATE INDEX "voices_unsettled" ON "voices"."voices" USING btree ("status","updated_at") WHERE "voices"."voices"."status" in ('AWAITING_UPLOAD', 'AWAITING_CONSENT', 'PROCESSING', 'DELETING');--> statement-breakpoint
CREATE VIEW "billing"."balances" AS (
    select a.user_id, a.credit_limit, a.used,
      (select coalesce(sum(e.credits), 0)::int from billing.entries e
        where e.user_id = a.user_id and e.period_start = a.period_start and e.kind = 'COMMIT') as committed,
      a.held,
      (select coalesce(sum(h.reserved - h.committed - h.released), 0)::int from billing.holds h
        where h.user_id = a.user_id and h.state = 'HELD') as open_holds,
      a.credit_limit - a.used - a.held as available
    from billing.accounts a);