CREATE TABLE "users"."api_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"secret_hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"monthly_credit_limit" integer,
	"last_used_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users"."revocations" (
	"kind" text NOT NULL,
	"issuer" text NOT NULL,
	"value" text NOT NULL,
	"issued_until" bigint,
	"at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	CONSTRAINT "revocations_kind_issuer_value_pk" PRIMARY KEY("kind","issuer","value")
);
--> statement-breakpoint
ALTER TABLE "users"."api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "users"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_keys_user" ON "users"."api_keys" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "revocations_at" ON "users"."revocations" USING btree ("at");--> statement-breakpoint
CREATE INDEX "revocations_expires_at" ON "users"."revocations" USING btree ("expires_at");