module interlock.example/bench

go 1.19
