module sallyport.test/command

go 1.25
