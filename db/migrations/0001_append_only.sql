-- What was once written to the ledger stays as it was written; a correction is an entry of its own.
create function billing.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'billing.entries is append-only';
end $$;
--> statement-breakpoint
create trigger entries_append_only before update or delete or truncate on billing.entries
  for each statement execute function billing.refuse_change();
