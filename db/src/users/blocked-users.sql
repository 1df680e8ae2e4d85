-- However somebody is blocked, by the API or by hand: routers ask what is new here, and drop what they remember.
create function users.revoke_blocked() returns trigger language plpgsql as $$
begin
  insert into users.revocations (kind, issuer, value, expires_at)
  values ('user', '', new.id, now() + interval '1 day')
  on conflict (kind, issuer, value) do update set at = clock_timestamp(), expires_at = excluded.expires_at;
  return null;
end $$;
--> statement-breakpoint
create trigger users_blocked after update of blocked_at on users.users
  for each row when (new.blocked_at is not null and old.blocked_at is distinct from new.blocked_at)
  execute function users.revoke_blocked();
