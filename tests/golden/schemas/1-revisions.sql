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

CREATE INDEX ix_backtest_trades_backtest_run_id ON backtest_trades (backtest_run_id);

CREATE TRIGGER candles_inserted AFTER INSERT ON ohlcv BEGIN DELETE FROM candle_revisions WHERE exchange = NEW.exchange AND symbol = NEW.symbol AND timeframe = NEW.timeframe; END;

CREATE TRIGGER candles_deleted AFTER DELETE ON ohlcv BEGIN DELETE FROM candle_revisions WHERE exchange = OLD.exchange AND symbol = OLD.symbol AND timeframe = OLD.timeframe; END;

CREATE TRIGGER candles_updated AFTER UPDATE ON ohlcv BEGIN DELETE FROM candle_revisions WHERE exchange = OLD.exchange AND symbol = OLD.symbol AND timeframe = OLD.timeframe; END;

CREATE TRIGGER candles_replaced BEFORE INSERT ON ohlcv WHEN NEW.id <> -1 BEGIN DELETE FROM candle_revisions WHERE (exchange, symbol, timeframe) IN
 (SELECT exchange, symbol, timeframe FROM ohlcv WHERE id = NEW.id); END;

CREATE TRIGGER candles_moved BEFORE UPDATE ON ohlcv WHEN OLD.id <> NEW.id OR OLD.exchange <> NEW.exchange OR OLD.symbol <> NEW.symbol OR OLD.timeframe <> NEW.timeframe BEGIN DELETE FROM candle_revisions WHERE exchange = NEW.exchange AND symbol = NEW.symbol AND timeframe = NEW.timeframe; DELETE FROM candle_revisions WHERE (exchange, symbol, timeframe) IN
 (SELECT exchange, symbol, timeframe FROM ohlcv WHERE id = NEW.id); END;

INSERT INTO schema_info VALUES (1, 1, 1600000000000);
