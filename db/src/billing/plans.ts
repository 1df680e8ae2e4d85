export const TIERS = ['FREE', 'BASIC', 'PREMIUM', 'ENTERPRISE'] as const;
export type Tier = (typeof TIERS)[number];

export interface Plan {
  id: string;
  tier: Tier;
  monthlyCredits: number;
  /** Voices of one's own at a time. */
  voiceSlots: number;
  /** Generations that run at once. */
  concurrency: number;
  /** Of one text, in UTF-16 code units. */
  maxCharacters: number;
  formats: readonly string[];
  /** Per month, in integer minor units. Null where there is no list price. */
  price: { amountMinor: number; currency: string } | null;
}

const ALL_FORMATS = ['MP3_44100_128', 'MP3_22050_64', 'OGG_VORBIS_44100', 'WAV_44100', 'PCM_22050', 'ULAW_8000'];
const usd = (amountMinor: number) => ({ amountMinor, currency: 'USD' });

export const FREE_PLAN: Plan = {
  id: 'plan_free',
  tier: 'FREE',
  monthlyCredits: 10_000,
  voiceSlots: 3,
  concurrency: 2,
  maxCharacters: 5000,
  formats: ALL_FORMATS.slice(0, 4),
  price: usd(0),
};

/** The catalogue, cheapest first. */
export const PLANS: readonly Plan[] = [
  FREE_PLAN,
  {
    id: 'plan_basic',
    tier: 'BASIC',
    monthlyCredits: 100_000,
    voiceSlots: 10,
    concurrency: 5,
    maxCharacters: 10_000,
    formats: ALL_FORMATS,
    price: usd(500),
  },
  {
    id: 'plan_premium',
    tier: 'PREMIUM',
    monthlyCredits: 500_000,
    voiceSlots: 50,
    concurrency: 10,
    maxCharacters: 50_000,
    formats: ALL_FORMATS,
    price: usd(2200),
  },
  {
    id: 'plan_enterprise',
    tier: 'ENTERPRISE',
    monthlyCredits: 5_000_000,
    voiceSlots: 500,
    concurrency: 50,
    maxCharacters: 200_000,
    formats: ALL_FORMATS,
    price: usd(33_000),
  },
];

export const findPlan = (id: string): Plan | null => PLANS.find((plan) => plan.id === id) ?? null;
