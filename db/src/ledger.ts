/**
 * The credit ledger. A credit is spent in three steps, each in the transaction that changes the generation:
 * `hold` → `commitTotal` … → `settle`. At every snapshot, and for every account,
 *
 *     used = Σ COMMIT entries of the account's period,  held = Σ open holds,  available = limit - used - held ≥ 0,
 *
 * which `select * from billing.balances where used <> committed or held <> open_holds or available < 0` (no rows)
 * checks in one statement. After a commit, publish on the user's quota channel (platform's `channels`).
 */
export { type AccountView, type QuotaRow, readAccounts, readQuotas } from './ledger/account.ts';
export { type Grant, grant } from './ledger/grant.ts';
export { hold, type HoldRequest, type HoldResult } from './ledger/hold.ts';
export { type ChargeRow, readCharges } from './ledger/read-charges.ts';
export { type LivenessCheck, reapExpiredHolds } from './ledger/reap-expired-holds.ts';
export { commitTotal, settle } from './ledger/settle.ts';
