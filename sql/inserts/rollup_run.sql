-- {through:Int64}: epoch milliseconds
INSERT INTO rollup_runs (through) SELECT fromUnixTimestamp64Milli({through:Int64}, 'UTC')
