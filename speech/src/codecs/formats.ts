/** The formats a generation can be asked for, as the schema names them. */
export const AUDIO_FORMATS = [
  'MP3_44100_128',
  'MP3_22050_64',
  'OGG_VORBIS_44100',
  'WAV_44100',
  'PCM_22050',
  'ULAW_8000',
] as const;
export type AudioFormat = (typeof AUDIO_FORMATS)[number];

export type Codec = 'mp3' | 'vorbis' | 'wav' | 'pcm' | 'mulaw';

export interface FormatInfo {
  codec: Codec;
  contentType: string;
  /** Without the dot. */
  extension: string;
  /** Of the encoded sound, Hz. */
  sampleRate: number;
  /** kbit/s; null where the codec chooses. */
  bitrateKbps: number | null;
}

/**
 * Everything is mono. `PCM_22050` is bare s16le and `ULAW_8000` bare G.711 bytes, which is what telephony streams take
 * and what `audio/basic` means (RFC 2046 §4.3): a WAV header would be heard as a click there. `WAV_44100` is the format
 * for players.
 */
export const FORMATS: Record<AudioFormat, FormatInfo> = {
  MP3_44100_128: { codec: 'mp3', contentType: 'audio/mpeg', extension: 'mp3', sampleRate: 44_100, bitrateKbps: 128 },
  MP3_22050_64: { codec: 'mp3', contentType: 'audio/mpeg', extension: 'mp3', sampleRate: 22_050, bitrateKbps: 64 },
  OGG_VORBIS_44100: {
    codec: 'vorbis',
    contentType: 'audio/ogg',
    extension: 'ogg',
    sampleRate: 44_100,
    bitrateKbps: null,
  },
  WAV_44100: { codec: 'wav', contentType: 'audio/wav', extension: 'wav', sampleRate: 44_100, bitrateKbps: 706 },
  PCM_22050: {
    codec: 'pcm',
    contentType: 'audio/pcm;rate=22050;channels=1',
    extension: 'pcm',
    sampleRate: 22_050,
    bitrateKbps: 353,
  },
  ULAW_8000: { codec: 'mulaw', contentType: 'audio/basic', extension: 'ulaw', sampleRate: 8_000, bitrateKbps: 64 },
};
