-- Whatever changes what somebody may: routers ask anew who they are.
alter function users.revoke_blocked() rename to recheck_user;
--> statement-breakpoint
create trigger users_role_changed after update of role on users.users
  for each row when (old.role is distinct from new.role)
  execute function users.recheck_user();
--> statement-breakpoint
-- A message of the bus (platform/src/bus/postgres-bus.ts), whoever has added something, by hand too.
create function users.tell_of_revocations() returns trigger language plpgsql as $$
begin
  perform pg_notify('timbre_bus', E'revocations\n');
  return null;
end $$;
--> statement-breakpoint
create trigger revocations_told after insert or update on users.revocations
  for each statement execute function users.tell_of_revocations();
