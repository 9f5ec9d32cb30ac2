CREATE TABLE schema_info (
  id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  CONSTRAINT pk_schema_info PRIMARY KEY (id)
)
 STRICT
;

CREATE TABLE ohlcv (
  id INTEGER NOT NULL,
  exchange TEXT NOT NULL,
  symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL,
  ts INTEGER NOT NULL,
  open REAL NOT NULL,
  high REAL NOT NULL,
  low REAL NOT NULL,
  close REAL NOT NULL,
  volume REAL NOT NULL,
  CONSTRAINT pk_ohlcv PRIMARY KEY (id),
  CONSTRAINT uq_ohlcv_exchange_symbol_timeframe_ts UNIQUE (exchange, symbol, timeframe, ts),
  CONSTRAINT ck_ohlcv_sane CHECK (low > 0 AND open BETWEEN low AND high AND close BETWEEN low AND high AND high < 1e300
 AND volume >= 0 AND volume < 1e300)
)
 STRICT
;

CREATE TABLE candle_series (
  exchange TEXT NOT NULL,
  symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL,
  updated_at INTEGER,
  checked_at INTEGER NOT NULL,
  source TEXT NOT NULL,
  CONSTRAINT pk_candle_series PRIMARY KEY (exchange, symbol, timeframe)
)
 STRICT
;

CREATE TABLE candle_revisions (
  exchange TEXT NOT NULL,
  symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL,
  revision TEXT NOT NULL,
  rows INTEGER,
  holes INTEGER,
  missing INTEGER,
  cookie INTEGER,
  CONSTRAINT pk_candle_revisions PRIMARY KEY (exchange, symbol, timeframe)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE backtest_runs (
  id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  exchange TEXT NOT NULL,
  symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL,
  strategy_name TEXT NOT NULL,
  initial_cash REAL NOT NULL,
  final_equity REAL NOT NULL,
  max_drawdown_pct REAL NOT NULL,
  sharpe_ratio REAL,
  trades_count INTEGER NOT NULL,
  stats_json TEXT NOT NULL,
  params_json TEXT,
  costs_json TEXT,
  data_start INTEGER,
  data_end INTEGER,
  data_bars INTEGER,
  data_gaps INTEGER,
  data_sha256 TEXT,
  code_version TEXT,
  engine TEXT,
  CONSTRAINT pk_backtest_runs PRIMARY KEY (id)
)
 STRICT
;

CREATE TABLE live_runs (
  id INTEGER NOT NULL,
  account TEXT NOT NULL,
  mode TEXT NOT NULL,
  pid INTEGER NOT NULL,
  code_version TEXT NOT NULL,
  settings_json TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  ending TEXT,
  beat_at INTEGER NOT NULL,
  status_json TEXT NOT NULL,
  CONSTRAINT pk_live_runs PRIMARY KEY (id)
)
 STRICT
;

CREATE TABLE live_state (
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  value_json TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  CONSTRAINT pk_live_state PRIMARY KEY (account, name)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE live_commands (
  id INTEGER NOT NULL,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  argument TEXT NOT NULL,
  origin TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  taken_at INTEGER,
  outcome TEXT,
  CONSTRAINT pk_live_commands PRIMARY KEY (id)
)
 STRICT
;

CREATE TABLE trading_accounts (
  account TEXT NOT NULL,
  instance TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  CONSTRAINT pk_trading_accounts PRIMARY KEY (account)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE trial_entries (
  seq INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  kind TEXT NOT NULL,
  command TEXT NOT NULL,
  study TEXT NOT NULL,
  batch INTEGER NOT NULL,
  rule TEXT NOT NULL,
  code TEXT NOT NULL,
  series_json TEXT NOT NULL,
  window_from INTEGER NOT NULL,
  window_to INTEGER NOT NULL,
  terms_json TEXT NOT NULL,
  names_json TEXT NOT NULL,
  trials INTEGER NOT NULL,
  sets BLOB NOT NULL,
  results BLOB NOT NULL,
  results_sha256 TEXT NOT NULL,
  hash TEXT NOT NULL,
  CONSTRAINT pk_trial_entries PRIMARY KEY (seq)
)
 STRICT
;

CREATE TABLE trial_heads (
  id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  CONSTRAINT pk_trial_heads PRIMARY KEY (id)
)
 STRICT
;

CREATE TABLE backtest_trades (
  id INTEGER NOT NULL,
  backtest_run_id INTEGER NOT NULL,
  symbol TEXT NOT NULL,
  strategy_name TEXT NOT NULL,
  side TEXT NOT NULL,
  size REAL NOT NULL,
  entry_ts INTEGER NOT NULL,
  exit_ts INTEGER NOT NULL,
  entry_price REAL NOT NULL,
  exit_price REAL NOT NULL,
  pnl REAL NOT NULL,
  pnl_pct REAL NOT NULL,
  fees REAL NOT NULL,
  max_dd_pct REAL NOT NULL,
  reason TEXT NOT NULL,
  CONSTRAINT pk_backtest_trades PRIMARY KEY (id),
  CONSTRAINT fk_backtest_trades_backtest_run_id FOREIGN KEY(backtest_run_id) REFERENCES backtest_runs (id)
)
 STRICT
;

CREATE TABLE live_decisions (
  id INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  exchange TEXT NOT NULL,
  symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL,
  bar_ts INTEGER NOT NULL,
  strategy TEXT NOT NULL,
  action TEXT NOT NULL,
  outcome TEXT NOT NULL,
  detail_json TEXT NOT NULL,
  CONSTRAINT pk_live_decisions PRIMARY KEY (id),
  CONSTRAINT fk_live_decisions_run_id FOREIGN KEY(run_id) REFERENCES live_runs (id) ON DELETE CASCADE
)
 STRICT
;

CREATE TABLE live_fills (
  id INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  exchange TEXT NOT NULL,
  symbol TEXT NOT NULL,
  fill_id TEXT NOT NULL,
  strategy TEXT NOT NULL,
  side TEXT NOT NULL,
  amount TEXT NOT NULL,
  price TEXT NOT NULL,
  fee TEXT NOT NULL,
  fee_asset TEXT NOT NULL,
  ts INTEGER NOT NULL,
  reason TEXT NOT NULL,
  CONSTRAINT pk_live_fills PRIMARY KEY (id),
  CONSTRAINT uq_live_fills_account_exchange_symbol_fill_id UNIQUE (account, exchange, symbol, fill_id),
  CONSTRAINT fk_live_fills_run_id FOREIGN KEY(run_id) REFERENCES live_runs (id) ON DELETE CASCADE
)
 STRICT
;

CREATE TABLE live_trades (
  id INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  strategy TEXT NOT NULL,
  symbol TEXT NOT NULL,
  side TEXT NOT NULL,
  amount TEXT NOT NULL,
  entry_ts INTEGER NOT NULL,
  exit_ts INTEGER NOT NULL,
  entry_price REAL NOT NULL,
  exit_price REAL NOT NULL,
  gross TEXT NOT NULL,
  fees TEXT NOT NULL,
  reason TEXT NOT NULL,
  CONSTRAINT pk_live_trades PRIMARY KEY (id),
  CONSTRAINT fk_live_trades_run_id FOREIGN KEY(run_id) REFERENCES live_runs (id) ON DELETE CASCADE
)
 STRICT
;

CREATE TABLE live_equity (
  id INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  equity REAL NOT NULL,
  cash REAL NOT NULL,
  CONSTRAINT pk_live_equity PRIMARY KEY (id),
  CONSTRAINT uq_live_equity_run_id_ts UNIQUE (run_id, ts),
  CONSTRAINT fk_live_equity_run_id FOREIGN KEY(run_id) REFERENCES live_runs (id) ON DELETE CASCADE
)
 STRICT
;

CREATE TABLE order_intents (
  account TEXT NOT NULL,
  "key" TEXT NOT NULL,
  strategy TEXT NOT NULL,
  symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL,
  bar INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  leg TEXT NOT NULL,
  side TEXT NOT NULL,
  amount TEXT NOT NULL,
  price TEXT NOT NULL,
  stop TEXT,
  take TEXT,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  valid_until INTEGER NOT NULL,
  share TEXT NOT NULL,
  reserve TEXT NOT NULL,
  note TEXT,
  entry_limit TEXT,
  entry_trigger TEXT,
  CONSTRAINT pk_order_intents PRIMARY KEY (account, "key"),
  CONSTRAINT ck_order_intents_side CHECK (side = 'buy' OR side = 'sell'),
  CONSTRAINT ck_order_intents_amount_price CHECK ((amount NOT GLOB '*[^0-9.]*' AND amount NOT GLOB '*.*.*' AND amount GLOB '*[1-9]*') AND (price NOT GLOB '*[^0-9.]*' AND price NOT GLOB '*.*.*' AND price GLOB '*[1-9]*')),
  CONSTRAINT ck_order_intents_share_reserve CHECK ((share NOT GLOB '*[^0-9.]*' AND share NOT GLOB '*.*.*' AND share GLOB '*[0-9]*') AND (reserve NOT GLOB '*[^0-9.]*' AND reserve NOT GLOB '*.*.*' AND reserve GLOB '*[0-9]*')),
  CONSTRAINT fk_order_intents_account FOREIGN KEY(account) REFERENCES trading_accounts (account)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE fills (
  account TEXT NOT NULL,
  exchange TEXT NOT NULL,
  symbol TEXT NOT NULL,
  id TEXT NOT NULL,
  client_order_id TEXT,
  order_id TEXT NOT NULL,
  side TEXT NOT NULL,
  amount TEXT NOT NULL,
  price TEXT NOT NULL,
  fee TEXT NOT NULL,
  fee_asset TEXT NOT NULL,
  time INTEGER NOT NULL,
  reason TEXT NOT NULL,
  seq INTEGER NOT NULL,
  CONSTRAINT pk_fills PRIMARY KEY (account, exchange, symbol, id),
  CONSTRAINT ck_fills_side CHECK (side = 'buy' OR side = 'sell'),
  CONSTRAINT ck_fills_amount_price CHECK ((amount NOT GLOB '*[^0-9.]*' AND amount NOT GLOB '*.*.*' AND amount GLOB '*[1-9]*') AND (price NOT GLOB '*[^0-9.]*' AND price NOT GLOB '*.*.*' AND price GLOB '*[1-9]*')),
  CONSTRAINT ck_fills_fee CHECK ((fee NOT GLOB '*[^-0-9.]*' AND fee NOT GLOB '?*-*' AND fee NOT GLOB '*.*.*' AND fee GLOB '*[0-9]*')),
  CONSTRAINT fk_fills_account FOREIGN KEY(account) REFERENCES trading_accounts (account)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE postings (
  account TEXT NOT NULL,
  txn TEXT NOT NULL,
  name TEXT NOT NULL,
  asset TEXT NOT NULL,
  amount TEXT NOT NULL,
  CONSTRAINT pk_postings PRIMARY KEY (account, txn, name, asset),
  CONSTRAINT ck_postings_amount CHECK ((amount NOT GLOB '*[^-0-9.]*' AND amount NOT GLOB '?*-*' AND amount NOT GLOB '*.*.*' AND amount GLOB '*[1-9]*')),
  CONSTRAINT fk_postings_account FOREIGN KEY(account) REFERENCES trading_accounts (account)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE journal (
  account TEXT NOT NULL,
  seq INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  kind TEXT NOT NULL,
  ref TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL,
  CONSTRAINT pk_journal PRIMARY KEY (account, seq),
  CONSTRAINT fk_journal_account FOREIGN KEY(account) REFERENCES trading_accounts (account)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE order_cursors (
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  CONSTRAINT pk_order_cursors PRIMARY KEY (account, name),
  CONSTRAINT fk_order_cursors_account FOREIGN KEY(account) REFERENCES trading_accounts (account)
)
 WITHOUT ROWID,
 STRICT
;

CREATE TABLE orders (
  account TEXT NOT NULL,
  client_order_id TEXT NOT NULL,
  intent_key TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  symbol TEXT NOT NULL,
  side TEXT NOT NULL,
  kind TEXT NOT NULL,
  amount TEXT NOT NULL,
  price TEXT,
  stop TEXT,
  state TEXT NOT NULL,
  exchange_id TEXT,
  filled TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  sent_at INTEGER,
  absences INTEGER NOT NULL,
  cancel_at INTEGER,
  reason TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  CONSTRAINT pk_orders PRIMARY KEY (account, client_order_id),
  CONSTRAINT uq_orders_account_intent_key_attempt UNIQUE (account, intent_key, attempt),
  CONSTRAINT fk_orders_account FOREIGN KEY(account, intent_key) REFERENCES order_intents (account, "key"),
  CONSTRAINT ck_orders_state CHECK (state = 'new' OR state = 'sending' OR state = 'unknown' OR state = 'open' OR state = 'partial' OR state = 'canceling' OR state = 'cancel_unknown' OR state = 'needs_operator' OR state = 'denied' OR state = 'rejected' OR state = 'not_placed' OR state = 'canceled' OR state = 'expired' OR state = 'filled'),
  CONSTRAINT ck_orders_side CHECK (side = 'buy' OR side = 'sell'),
  CONSTRAINT ck_orders_amount CHECK ((amount NOT GLOB '*[^0-9.]*' AND amount NOT GLOB '*.*.*' AND amount GLOB '*[1-9]*')),
  CONSTRAINT ck_orders_filled CHECK ((filled NOT GLOB '*[^0-9.]*' AND filled NOT GLOB '*.*.*' AND filled GLOB '*[0-9]*'))
)
 WITHOUT ROWID,
 STRICT
;

CREATE INDEX live_commands_waiting ON live_commands (account, taken_at);

CREATE INDEX trial_entries_of_rule ON trial_entries (rule);

CREATE INDEX trial_entries_of_study ON trial_entries (study);

CREATE INDEX ix_backtest_trades_backtest_run_id ON backtest_trades (backtest_run_id);

CREATE INDEX live_decisions_of_run ON live_decisions (run_id, bar_ts);

CREATE INDEX ix_orders_account_symbol_exchange_id ON orders (account, symbol, exchange_id) WHERE exchange_id IS NOT NULL;

CREATE UNIQUE INDEX one_live_attempt ON orders (account, intent_key) WHERE state <> 'denied' AND state <> 'rejected' AND state <> 'not_placed';

CREATE TRIGGER candles_inserted AFTER INSERT ON ohlcv BEGIN DELETE FROM candle_revisions WHERE exchange = NEW.exchange AND symbol = NEW.symbol AND timeframe = NEW.timeframe; END;

CREATE TRIGGER candles_deleted AFTER DELETE ON ohlcv BEGIN DELETE FROM candle_revisions WHERE exchange = OLD.exchange AND symbol = OLD.symbol AND timeframe = OLD.timeframe; END;

CREATE TRIGGER candles_updated AFTER UPDATE ON ohlcv BEGIN DELETE FROM candle_revisions WHERE exchange = OLD.exchange AND symbol = OLD.symbol AND timeframe = OLD.timeframe; END;

CREATE TRIGGER candles_replaced BEFORE INSERT ON ohlcv WHEN NEW.id <> -1 BEGIN DELETE FROM candle_revisions WHERE (exchange, symbol, timeframe) IN
 (SELECT exchange, symbol, timeframe FROM ohlcv WHERE id = NEW.id); END;

CREATE TRIGGER candles_moved BEFORE UPDATE ON ohlcv WHEN OLD.id <> NEW.id OR OLD.exchange <> NEW.exchange OR OLD.symbol <> NEW.symbol OR OLD.timeframe <> NEW.timeframe BEGIN DELETE FROM candle_revisions WHERE exchange = NEW.exchange AND symbol = NEW.symbol AND timeframe = NEW.timeframe; DELETE FROM candle_revisions WHERE (exchange, symbol, timeframe) IN
 (SELECT exchange, symbol, timeframe FROM ohlcv WHERE id = NEW.id); END;

INSERT INTO schema_info VALUES (1, 6, 1600000000000);
